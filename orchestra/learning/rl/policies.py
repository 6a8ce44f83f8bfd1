"""Several policies on one base: an adapter and an optimiser each, so that stepping one leaves the others bit-identical.

One base is loaded, however many policies learn. PEFT makes the chosen adapter the only trainable one, so parameters are
listed once, at the start, and never asked of the model again (peft issues 1303, 2749).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.nn import Parameter
from transformers import AutoModelForCausalLM

from orchestra.digest import digest
from orchestra.errors import BadData, BadInput
from orchestra.learning import launcher
from orchestra.learning.rl.settings import Update

CRITIC = "@critic"
"""What the critic goes by among the policies, of which none can be published under such a name. Adapters themselves are
named "critic" and by places, since PEFT refuses dots."""


class Policies:
    """Adapters by the names of policies, on one base."""

    def __init__(
        self, base: Path, names: Sequence[str], settings: Update, starts: Mapping[str, Path], *, critic: bool = False
    ) -> None:
        """New adapters, or those of `starts`, policy -> PEFT folder. Raises BadData where one does not fit the base."""
        self.names = tuple(names)
        self.starts = dict(starts)
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=launcher.dtype(settings.precision), local_files_only=True
        )
        model.config.use_cache = False
        self._keys = {name: f"p{place}" for place, name in enumerate(self.names)}
        if critic:
            self._keys[CRITIC] = "critic"
        self.model: Any = None
        for name, key in self._keys.items():
            model = self._added(model, key, settings, starts.get(name), name)
        self._references: dict[str, str] = {}
        self._parameters = {name: self._of(key) for name, key in self._keys.items()}

    def parameters(self, name: str) -> dict[str, Parameter]:
        """Name -> parameter of a policy's adapter, or of CRITIC's."""
        return self._parameters[name]

    def use(self, name: str) -> None:
        """From here on the model speaks as this policy, or as CRITIC."""
        self.model.set_adapter(self._keys[name])

    @contextmanager
    def reference(self, name: str) -> Iterator[None]:
        """The policy as it was at the start: the base, or a frozen copy of the adapter that it began with."""
        if name not in self.starts:
            with self.model.disable_adapter():
                yield
            return
        if name not in self._references:
            self._references[name] = f"r{self.names.index(name)}"
            self.model.load_adapter(str(self.starts[name]), adapter_name=self._references[name], is_trainable=False)
        self.model.set_adapter(self._references[name])
        try:
            yield
        finally:
            self.use(name)

    def save(self, name: str, folder: Path, *, base_name: str) -> None:
        """Writes the adapter of a policy in PEFT's layout into an empty folder."""
        key = self._keys[name]
        config = self.model.peft_config[key]
        config.base_model_name_or_path = base_name
        config.save_pretrained(str(folder))
        state = get_peft_model_state_dict(self.model, adapter_name=key, save_embedding_layers=False)
        save_file(
            {each: value.detach().contiguous() for each, value in state.items()}, folder / "adapter_model.safetensors"
        )

    def _added(self, model: Any, key: str, settings: Update, start: Path | None, name: str) -> Any:
        torch.manual_seed(int(digest(str(settings.seed), name)[:12], 16))
        if start is not None:
            return self._loaded(model, key, start)
        lora = LoraConfig(
            r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        if isinstance(model, PeftModel):
            model.add_adapter(key, lora)
            return self._kept(model)
        return self._kept(get_peft_model(model, lora, adapter_name=key))

    def _loaded(self, model: Any, key: str, start: Path) -> Any:
        if not (start / "adapter_model.safetensors").is_file():
            raise BadInput(f"expected an adapter to go on from, got none in {start}; fix: --init")
        try:
            if isinstance(model, PeftModel):
                model.load_adapter(str(start), adapter_name=key, is_trainable=True)
                return self._kept(model)
            return self._kept(PeftModel.from_pretrained(model, start, adapter_name=key, is_trainable=True))
        except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
            raise BadData(
                f"expected an adapter of this base, got another in {start}: {' '.join(str(error).split())[:200]}; "
                "fix: --init or --model"
            ) from error

    def _kept(self, model: Any) -> Any:
        self.model = model
        return model

    def _of(self, key: str) -> dict[str, Parameter]:
        self.model.set_adapter(key)
        return {name: each for name, each in self.model.named_parameters() if f".{key}." in name}
