"""Whether TensorRT's engine is built and whole, where one is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import BackendMissing, EngineInvalid, EngineMissing, ModelError
from edge.package import ModelPackage

if TYPE_CHECKING:
    from edge.contract.manifest import Precision

REBUILD = "the daemon builds it in the background; to wait for it: canopy accept"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Find the engine of the configured package for this machine, and read it."""
    from edge.engine.engine import EngineShop, Graph  # noqa: PLC0415  asks for NVIDIA's libraries

    inference = patient.settings.inference
    if inference.backend not in {"auto", "tensorrt"}:
        yield scribe.skipped(f"backend {inference.backend} needs none")
        return
    try:
        package = ModelPackage.open(inference.package)
        wanted = "int8.trt" if "int8.trt" in package.manifest.models else "fp16"
        precision = cast("Precision", wanted if inference.precision == "auto" else inference.precision)
        engine = EngineShop(inference.engine).find(Graph.of_package(package, precision))
        engine.plan()
    except EngineMissing as error:
        yield scribe.warn(str(error), REBUILD)
    except EngineInvalid as error:
        yield scribe.fail(str(error), REBUILD)
    except BackendMissing as error:
        if inference.backend == "auto":
            yield scribe.skipped("no TensorRT here; the model runs on the CPU or by CUDA")
        else:
            yield scribe.fail(str(error), "install JetPack's TensorRT, or set inference.backend to auto")
    except ModelError:
        yield scribe.skipped("the package cannot be opened")
    else:
        sidecar = engine.sidecar
        yield scribe.ok(f"built for {sidecar.key.machine.sku} on {sidecar.built_at:%Y-%m-%d}, whole")
