"""What Locust is pointed at: `locust -f fleet/locustfile.py --host 'ws://HOST:PORT/PATH/{id}'`. An entry, nothing else.

The users live in `scenarios.load_run.users`, which knows runtimes and shapes; only the path is the fleet's. Nothing may
import this file: Locust patches the process that does.
"""

from scenarios.load_run.users import RigUser

__all__ = ["RigUser"]
