from __future__ import annotations

import os
import subprocess
import sys

from edgeplan.runtime.emulation.ownership import is_orphan, name_of, orphans


def test_a_name_belongs_to_the_process_that_gave_it() -> None:
    assert str(os.getpid()) in name_of("hub")
    assert not is_orphan(name_of("hub"))


def test_things_of_a_process_that_is_gone_are_orphans() -> None:
    program = "from edgeplan.runtime.emulation.ownership import name_of; print(name_of('hub'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert orphans([done.stdout.strip(), name_of("hub"), "somebody's"]) == [done.stdout.strip()]


def test_a_number_that_another_process_has_by_now_does_not_deceive() -> None:
    _, process, start, _ = name_of("hub").split("-")
    assert is_orphan(f"edgeplan-{process}-{int(start) - 1}-hub")
