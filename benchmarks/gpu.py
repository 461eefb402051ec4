"""The same step on a GPU: PyTorch eager against minisparse on CuPy, both waiting for the loss after every step.

python -m benchmarks.gpu [the options of benchmarks.steps]
"""

from functools import partial

from .harness import Contender, Workload, main
from .steps import minisparse_contender, torch_step, verify

WORKLOADS = (
    Workload(
        "W1 on CUDA, one step of LeNet-300-100, batch 128",
        (
            Contender("PyTorch eager", partial(torch_step, device="cuda"), ("torch",)),
            minisparse_contender("minisparse dense", device="cuda"),
            minisparse_contender("minisparse RigL 98 %", 0.98, moving=True, device="cuda"),
            minisparse_contender("minisparse RigL 90 %", 0.9, moving=True, device="cuda"),
        ),
        reference="PyTorch eager",
    ),
)

if __name__ == "__main__":
    main("benchmarks.gpu", __doc__, WORKLOADS, partial(verify, device="cuda"))
