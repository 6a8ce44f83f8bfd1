"""The fast back-end: a model in int8 on OpenVINO, batched across callers, approximate. Imports openvino and torch."""

from orchestra.models.fast.model import FastModel as FastModel
