"""junit.xml: one test case for each check, so that any CI server shows what a run found.

FAIL is a failure, UNKNOWN an error (unless it was allowed), NOT_APPLICABLE a skip. Times are left out: they are
no part of what a run proves.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from xml.etree import ElementTree

from reports.run import Run
from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Finding, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Run) -> str:
    """The whole XML document of a run."""
    scenario = run.manifest.get("scenario_name")
    properties = {key: str(run.manifest.get(key, "")) for key in ("scenario_name", "seed", "digest", "target")}
    name = f"{scenario} seed {run.manifest.get('seed')}"
    return document(name, f"chargerig.{scenario}", properties, run.results, run.forgiven)


def document(
    name: str,
    classname: str,
    properties: Mapping[str, str],
    results: Iterable[CheckResult],
    forgiven: Container[str] = (),
) -> str:
    """The XML of one suite with a case for each result; those named in `forgiven` may be UNKNOWN."""
    cases = [_case(result, classname, forgiven) for result in results]
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")}
    numbers = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
    }
    root = ElementTree.Element("testsuites", {"name": "chargerig", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(name), **numbers})
    listed = ElementTree.SubElement(suite, "properties")
    for key, value in properties.items():
        ElementTree.SubElement(listed, "property", {"name": key, "value": _clean(value)})
    suite.extend(cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(result: CheckResult, classname: str, forgiven: Container[str]) -> ElementTree.Element:
    name = _clean(f"{result.check}: {result.sentence}")
    case = ElementTree.Element(
        "testcase", {"classname": _clean(classname), "name": name, "assertions": str(result.items)}
    )
    if result.verdict is Verdict.FAIL:
        first = result.findings[0].sentence if result.findings else result.reason
        message = _clean(f"{len(result.findings)} of {result.items}: {first}")
        failure = ElementTree.SubElement(case, "failure", {"type": "finding", "message": message})
        failure.text = _clean("\n\n".join(_finding(finding) for finding in result.findings))
    elif result.verdict is Verdict.UNKNOWN and result.check not in forgiven:
        ElementTree.SubElement(case, "error", {"type": "unknown", "message": _clean(result.reason)})
    elif result.verdict is Verdict.UNKNOWN:
        ElementTree.SubElement(case, "skipped", {"message": _clean(f"unknown, and allowed to be: {result.reason}")})
    elif result.verdict is Verdict.NOT_APPLICABLE:
        ElementTree.SubElement(case, "skipped", {"message": _clean(result.reason or "nothing to examine")})
    return case


def _finding(finding: Finding) -> str:
    lines = [f"{finding.subject_kind} {finding.subject}: {finding.sentence}"]
    lines += [f"  {line.table} {canonical(line.row)}" for line in finding.evidence]
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold; a wire can carry anything."""
    return _NOT_XML.sub("\ufffd", text)
