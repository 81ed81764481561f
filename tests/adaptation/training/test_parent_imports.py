import subprocess
import sys


def test_importing_the_parent_side_imports_no_torch() -> None:
    code = (
        "import sys, adaptation.training.process, adaptation.training.fake;"
        "import adaptation.training.gate, adaptation.training.recipes, adaptation.neighbours;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
