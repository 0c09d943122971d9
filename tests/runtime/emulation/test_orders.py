from __future__ import annotations

import select
import threading
from pathlib import Path

import pytest

pytest.importorskip("torch")

from kernel_emulation import require_kernel

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.network import emulated_network
from edgeplan.runtime.emulation.orders import Orders, forget_orders, relink, sent_bytes

LINKS = Links.shared(0.25, 1e6, 2)


def test_the_switch_s_end_gets_the_links_and_whoever_told_of_them_goes_on(tmp_path: Path) -> None:
    orders = Orders(tmp_path)
    telling = threading.Thread(target=relink, args=(LINKS, tmp_path), kwargs={"timeout_s": 60.0})
    telling.start()
    assert select.select([orders.handle], (), (), 60.0)[0] == [orders.handle]
    assert orders.take([]) == LINKS
    telling.join(60.0)
    assert not telling.is_alive()
    forget_orders(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_switch_tells_what_each_node_has_sent(tmp_path: Path) -> None:
    orders, told = Orders(tmp_path), []
    asking = threading.Thread(target=lambda: told.extend(sent_bytes(tmp_path, timeout_s=60.0)))
    asking.start()
    assert select.select([orders.handle], (), (), 60.0)[0] == [orders.handle]
    assert orders.take([7, 0]) is None
    asking.join(60.0)
    assert told == [7, 0]


def test_links_that_nobody_takes_are_an_error(tmp_path: Path) -> None:
    Orders(tmp_path)
    with pytest.raises(RunError, match="takes no orders"):
        relink(LINKS, tmp_path, timeout_s=0.0)


def test_a_network_takes_other_links_while_it_is_up_and_leaves_no_pipe(tmp_path: Path) -> None:
    require_kernel()
    with emulated_network(Links.shared(0.001, 1e8, 2), tmp_path):
        relink(LINKS, tmp_path, timeout_s=60.0)
        assert not (tmp_path / "switch-links.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["switch.json"]
