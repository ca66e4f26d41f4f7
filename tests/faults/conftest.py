"""One house per test process, a guest per test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.house import Guest, House, visiting


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, up; kept up from test to test."""
    one = House(tmp_path_factory.mktemp("house"))
    one.open()
    yield one
    one.close()


@pytest.fixture
async def guest(house: House) -> AsyncIterator[Guest]:
    """Who uses it."""
    async with visiting(house) as one:
        yield one
