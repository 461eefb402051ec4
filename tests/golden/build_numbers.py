"""Write the cases of gates, gradients, costs and whole runs: python -m tests.golden.build_numbers, from the root."""

from tests.golden import build, costs, derivatives, gates, trajectories

FUNCTIONS = [
    function for module in (gates, derivatives, costs, trajectories) for function in module.FUNCTIONS
]


def main() -> None:
    for function in FUNCTIONS:
        (build.FOLDER / f"{function.name}.json").write_text(build.text(build.content(function)), encoding="utf-8")
    print(f"{sum(len(function.cases) for function in FUNCTIONS)} cases in {build.FOLDER}")


if __name__ == "__main__":
    main()
