"""Write down every public name of a release of TensorRT's Python bindings.

    python tests/sim/tensorrt/dump_names.py tensorrt_cu12_bindings-10.3.0-cp311-none-manylinux_2_17_x86_64.whl

The bindings are on PyPI (``pip download --no-deps tensorrt-cu12-bindings==10.3.0``, for the running Python); the
libraries behind them are not. They are imported over empty libraries with the symbols that they want, which is enough
to list names and good for nothing else. Needs gcc and nm.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARIES = re.compile(r"\[(libnv\w+\.so\.\d+)\]")
ENTRY_POINTS = re.compile(r"(create\w+_INTERNAL|get\w+|init\w+)")
LISTING = """
import inspect, sys
sys.path.insert(0, sys.argv[1])
import tensorrt_bindings as trt
print(f"version: {trt.__version__}")
print("names:")
for name, value in sorted(vars(trt).items()):
    if not name.startswith("_") and not inspect.ismodule(value):
        members = [each for each in dir(value) if not each.startswith("_")] if inspect.isclass(value) else []
        print(f"  {name}: [{', '.join(members)}]")
"""


def main(wheel: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        make_empty_libraries(Path(folder) / "tensorrt_bindings")
        command = [sys.executable, "-c", LISTING, folder]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    version = re.search(r"version: (\S+)", listing)
    assert version
    (FOLDER / f"{version[1]}.yaml").write_text(f"# {wheel.name}, by dump_names.py\n{listing}")


def make_empty_libraries(bindings: Path) -> None:
    """Beside the bindings, where they look first: each library that they name, with every symbol that they lack."""
    module = bindings / "tensorrt.so"
    needed = subprocess.run(["readelf", "-d", module], check=True, capture_output=True, text=True).stdout
    lacking = subprocess.run(["nm", "-D", "--undefined-only", module], check=True, capture_output=True, text=True)
    symbols = {line.split()[-1] for line in lacking.stdout.splitlines()}
    entries = sorted(name for name in symbols if ENTRY_POINTS.fullmatch(name) and name not in {"getenv", "getpid"})
    source = bindings / "empty.c"
    source.write_text("\n".join(f"void *{name}(void) {{ return 0; }}" for name in entries))
    for library in LIBRARIES.findall(needed):
        options = ["-w", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", bindings / library]
        subprocess.run(["gcc", *options, source], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
