"""A device that sends what must stay on it: the mutation that the search for canaries has to catch."""

import dataclasses

from edge.device_data import DeviceData
from edge.finish import Finished
from edge.journal import TrainedRound
from edge.personal import load_personal
from shared.encoding import encode_update
from shared.images import normalise
from shared.messages import FinalReport, FinishTask, TrainTask
from shared.model import SharedModel
from shared.settings import SharedSettings
from shared.tensors import decode, encode
from tests.simulation import QuietWork

LEAKS_IN_ROUND = 2


class LeakyWork(QuietWork):
    """Puts its head, its images and its labels into an update, and its histogram into its report."""

    def train(self, task: TrainTask) -> TrainedRound:
        """Train honestly, and add to the update what nobody asked for."""
        trained = super().train(task)
        if task.round != LEAKS_IN_ROUND:
            return trained
        settings, data, _ = self._ready()
        kept = load_personal(trained.phi_blob, self.heads).phi
        assert kept is not None
        phi = kept.weight
        secrets = {
            "fp32": decode(encode_update({"fp32": phi}, "fp32+zstd"))["fp32"],
            "fp16": phi.half(),
            "bf16": phi.bfloat16(),
            "images": data.train.images,
            "normalised": normalise(data.train.images, settings.model.mean, settings.model.std).half(),
            "labels": data.train.labels,
        }
        update = decode(self.blobs.get(trained.update_blob)) | secrets
        return dataclasses.replace(trained, update_blob=self.blobs.put(encode(update)))

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        honest = super()._report(task, settings, model, finished, data)
        counts = ", ".join(map(str, data.train.class_counts().tolist()))
        return FinalReport(
            client=honest.client, round=honest.round, figures=honest.figures, onnx=honest.onnx, head_note=counts
        )
