"""An engine that behaves as badly as a provider can: each speaker settles, nothing is lost, nothing applied twice."""

import pytest

from tests.support.house import Guest

MODES = {  # and how many speakers come
    "flaky": 1,  # every other call 500
    "slow=1": 2,
    "late=4": 2,  # applied, and answered after the client's timeout of 3 s
    "silent": 2,  # no callbacks: the result is asked for
    "late=4,silent": 2,  # not even an id of the job to ask by: settled by the sums
    "duplicating": 2,
    "reordering=1": 2,
    "early": 2,
    "dropping=0.4,duplicating=0.4,reordering=1,slow=0.5": 4,
}


@pytest.mark.parametrize("faults", MODES)
async def test_a_badly_behaving_engine_costs_no_sample(guest: Guest, faults: str) -> None:
    async with guest.house.changed("engine", VOXROLL_ENGINE_FAULTS=faults, VOXROLL_ENGINE_FAULTS_SEED="7"):
        await guest.ready()
        for _ in range(MODES[faults]):
            await guest.hand_in()
        await guest.all_is_well()
