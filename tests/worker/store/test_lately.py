"""What was read is remembered for a moment, and for no more than that."""

import gc

from tests.support.waiting import until
from worker.enrollment.record import Record, SpeakerId
from worker.store.codec import packed
from worker.store.lately import Lately


def in_memory() -> set[str]:
    """Of whom there are records that somebody holds."""
    gc.collect()
    return {one.speaker_id for one in gc.get_objects() if isinstance(one, Record)}


async def test_the_same_bytes_are_unpacked_once() -> None:
    lately, blob = Lately(), packed(Record(speaker_id=SpeakerId("anna")))
    assert lately.unpacked(blob) is lately.unpacked(bytes(bytearray(blob)))
    assert lately.unpacked(blob).record.speaker_id == "anna"


async def test_nobody_stays_in_memory_though_nothing_more_is_read() -> None:
    lately = Lately(turn_s=0.3)
    lately.unpacked(packed(Record(speaker_id=SpeakerId("erased"))))
    assert "erased" in in_memory()
    await until(lambda: "erased" not in in_memory())


async def test_their_number_is_bounded() -> None:
    lately = Lately()
    for number in range(2000):
        lately.unpacked(packed(Record(speaker_id=SpeakerId(f"many_{number}"))))
    assert sum(name.startswith("many_") for name in in_memory()) <= 512
