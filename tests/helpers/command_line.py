"""What `minisparse` prints, run in this process."""

from typer.testing import CliRunner

from minisparse.cli import app

QUICK = ("--model", "mlp-16", "--epochs", "3", "--delta-t", "10", "--sparsity", "0.8")
HEARS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job is deaf


def said(*arguments, status=0):
    """What a command prints; a refusal is an exception, which `main` makes a sentence of."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output
