import subprocess
import sys


def test_importing_the_parent_side_imports_no_torch() -> None:
    code = (
        "import sys, adaptation.learning.training.process, adaptation.learning.training.fake;"
        "import adaptation.learning.training.gate, adaptation.learning.training.recipes;"
        "import adaptation.learning.neighbours;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
