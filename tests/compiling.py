"""Flags of XLA for the tests, most of whose time would go into compiling what runs a few times."""

from importlib import metadata

DEVICES = "--xla_force_host_platform_device_count"
QUICK = "--xla_backend_optimization_level=0"
# JAX 0.12 has no other emitters, and ends at a flag that it does not know
if metadata.version("jax").startswith("0.10."):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
