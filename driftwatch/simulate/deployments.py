"""The deployments that are broken: a model on its GPUs, and those who use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from driftwatch.simulate.hardware import GPUS, MODELS, settings_of
from driftwatch.simulate.settings import Service, Settings
from driftwatch.simulate.workload import Tenant

MODEL, GPU = "llama-3.1-8b", "A100-40GB"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A service and who uses it.

    Parameters
    ----------
    service
        The replicas.
    tenants
        Who sends requests.
    """

    service: Service
    tenants: tuple[Tenant, ...]


def engine() -> Settings:
    """An 8B model that has an A100 to itself."""
    return settings_of(GPUS[GPU], MODELS[MODEL])


def tenants() -> tuple[Tenant, ...]:
    """People in conversations, and a program that sends documents."""
    chat = Tenant("chat", 2.4, prompt_tokens=(120, 0.8), output_tokens=(260, 0.5), shared_tokens=800, turns=4.0)
    api = Tenant("api", 1.2, prompt_tokens=(1200, 0.5), output_tokens=(200, 0.5), shared_tokens=96)
    adapters = {"support": 0.3, "legal": 0.2}
    return tuple(replace(tenant, adapters=adapters, max_model_len=8192) for tenant in (chat, api))


def standard() -> Deployment:
    """Two replicas, half busy."""
    return Deployment(Service(MODEL, (engine(),) * 2, gpu=GPU), tenants())


def tight() -> Deployment:
    """Two replicas that share their GPUs with other models: the KV cache is two thirds full at busy times."""
    return Deployment(Service(MODEL, (replace(engine(), kv_blocks=4200),) * 2, gpu=GPU), tenants())


def speculating() -> Deployment:
    """Two replicas that speculate three tokens ahead, of which most are accepted."""
    settings = replace(engine(), draft_tokens=3, acceptance=0.75)
    return Deployment(Service(MODEL, (settings,) * 2, gpu=GPU), tenants())


def grouped() -> Deployment:
    """Two replicas, each on two GPUs of one tensor-parallel group."""
    settings = settings_of(GPUS[GPU], MODELS[MODEL], 2, memory_share=0.5)
    return Deployment(Service(MODEL, (settings,) * 2, gpu=GPU, gpus_per_replica=2), tenants())
