"""What test_replicas has `mpiexec` run: its training on every rank of MPI, each leaving its last states in files.

mpiexec -n 2 python -m mpi4py mpi_training.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from test_replicas import WHERE, network, trained

from minisparse.runs.folder import save_state
from minisparse.runs.replicas import over_mpi

ranks = over_mpi()
for storage, method in WHERE:
    steps = trained(network(np, storage), method, ranks)
    save_state(Path(sys.argv[1], f"{storage}-{method}-{ranks.rank}.npz"), steps[-1].state)
