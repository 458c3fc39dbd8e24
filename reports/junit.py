"""junit.xml: one test case for each check or for what else was judged, so that any CI server shows what was found.

FAIL is a failure, UNKNOWN an error (unless it was allowed), NOT_APPLICABLE a skip. Times are left out: they are
no part of what a run proves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from reports.run import Run
from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Finding, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Run) -> str:
    """The whole XML document of a run."""
    name = f"{run.manifest.get('scenario_name')} seed {run.manifest.get('seed')}"
    properties = {key: str(run.manifest.get(key, "")) for key in ("scenario_name", "seed", "digest", "target")}
    return document(name, [_case(result, run) for result in run.results], properties)


def document(name: str, cases: Sequence[ElementTree.Element], properties: Mapping[str, str]) -> str:
    """An XML document with these cases in one suite."""
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")}
    numbers = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
    }
    root = ElementTree.Element("testsuites", {"name": "chargerig", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(name), **numbers})
    table = ElementTree.SubElement(suite, "properties")
    for key, value in properties.items():
        ElementTree.SubElement(table, "property", {"name": key, "value": _clean(value)})
    suite.extend(cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def case(classname: str, name: str, assertions: int, failure: str = "", details: str = "") -> ElementTree.Element:
    """One test case; with a `failure` it has failed, and `details` are its lines."""
    about = {"classname": _clean(classname), "name": _clean(name), "assertions": str(assertions)}
    element = ElementTree.Element("testcase", about)
    if failure:
        failed = ElementTree.SubElement(element, "failure", {"type": "finding", "message": _clean(failure)})
        failed.text = _clean(details)
    return element


def _case(result: CheckResult, run: Run) -> ElementTree.Element:
    failure = ""
    if result.verdict is Verdict.FAIL:
        first = result.findings[0].sentence if result.findings else result.reason
        failure = f"{len(result.findings)} of {result.items}: {first}"
    name = f"{result.check}: {result.sentence}"
    details = "\n\n".join(_finding(finding) for finding in result.findings)
    told = case(f"chargerig.{run.manifest.get('scenario_name')}", name, result.items, failure, details)
    if result.verdict is Verdict.UNKNOWN and result.check not in run.forgiven:
        ElementTree.SubElement(told, "error", {"type": "unknown", "message": _clean(result.reason)})
    elif result.verdict is Verdict.UNKNOWN:
        ElementTree.SubElement(told, "skipped", {"message": _clean(f"unknown, and allowed to be: {result.reason}")})
    elif result.verdict is Verdict.NOT_APPLICABLE:
        ElementTree.SubElement(told, "skipped", {"message": _clean(result.reason or "nothing to examine")})
    return told


def _finding(finding: Finding) -> str:
    lines = [f"{finding.subject_kind} {finding.subject}: {finding.sentence}"]
    lines += [f"  {line.table} {canonical(line.row)}" for line in finding.evidence]
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold; a wire can carry anything."""
    return _NOT_XML.sub("\ufffd", text)
