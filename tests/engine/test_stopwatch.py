"""Stages exclude what runs inside them."""

from __future__ import annotations

import logging
import time

from motion4d.engine.stopwatch import Stopwatch, log_progress


def test_a_stage_inside_another_interrupts_it():
    watch = Stopwatch()

    def slow_items():
        for k in range(3):
            time.sleep(0.02)
            yield k

    with watch.stage("outer"):
        assert list(watch.each("inner", slow_items())) == [0, 1, 2]
    seconds = watch.seconds()
    assert seconds["inner"] >= 0.06
    assert seconds["outer"] < seconds["inner"]
    assert seconds["total"] >= seconds["inner"] + seconds["outer"]


def test_progress_passes_everything_on_and_speaks_now_and_then(caplog):
    caplog.set_level(logging.INFO)
    assert list(log_progress(range(5), "clip", 5, every=0.0)) == [0, 1, 2, 3, 4]
    assert "clip: 5/5 frames" in caplog.text
    assert "0 s left" in caplog.text
    caplog.clear()
    assert list(log_progress(range(5), "clip", None)) == [0, 1, 2, 3, 4]
    assert caplog.text == ""
