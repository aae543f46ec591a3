"""A study's cells: products, each once, under names of their own."""

import pytest

from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.study.plan import Cell, Grid, Place, Study, cell_from_json, cells_of, config_of


def study(*grids: Grid) -> Study:
    return Study("a study", Config(), grids)


def test_cells_are_the_product_and_arms_without_a_pool_are_run_once() -> None:
    grid = Grid(("local", "ours"), ("iid", "classes"), pools=(1.0, 0.1), seeds=(3, 4))
    cells = cells_of(study(grid, grid), unpooled=("local",))
    assert len(cells) == len(set(cells)) == 2 * 2 * (1 + 2)
    assert [cell.pool for cell in cells if cell.arm == "local"] == [None] * 4
    places = [cell.place for cell in cells]
    assert places == sorted(places)  # those that share the edges' work lie side by side
    assert cells[0].name == "local--classes--shared--2e--anyp--s3"


def test_a_cell_is_read_as_it_was_written() -> None:
    cell = Cell(Place(1, "iid", "shared", 3), 0.1, "ours")
    assert cell_from_json(cell.to_json()) == cell


def test_a_cell_sets_its_part_of_the_task() -> None:
    cell = Cell(Place(7, "dirichlet:0.1", "independent", 5), 0.2, "ours")
    config = config_of(study(), cell)
    assert (config.seed, config.partition.kind, config.partition.alpha) == (
        7, PartitionKind.DIRICHLET, 0.1,
    )  # fmt: skip
    assert (config.partition.num_edges, config.model.init) == (5, "independent")
    assert config.server.pool
    assert config.server.pool_fraction == 0.2
    assert not config_of(study(), Cell(cell.place, None, "local")).server.pool


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (Grid(("ours",), pools=(1.5,)), "pool is 1.5; expected a share in"),
        (Grid(()), "the study has no cell"),
        (Grid(("ours",), starts=("a/b.keras", "a-b.keras")), "two cells have the file name"),
    ],
)
def test_what_is_wrong_with_a_grid_is_told(grid: Grid, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cells_of(study(grid), ())


def test_a_split_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match="'dirichlet:much'; expected iid"):
        config_of(study(), Cell(Place(0, "dirichlet:much", "shared", 2), 1.0, "ours"))
