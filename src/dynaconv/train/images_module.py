"""The batches of a data set, as Lightning asks for them."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from dynaconv.data import ImageData, RandomPictures
from dynaconv.errors import ArgumentError
from dynaconv.train.batches import IndexedImages, Position, TestBatches, TrainBatches, as_fetched
from dynaconv.train.config import TrainConfig
from dynaconv.train.lightning_api import LightningDataModule

__all__ = ["ImagesModule"]


class ImagesModule(LightningDataModule):
    """Training and test batches of `data`, each process its part.

    Args:
        config: batch sizes, seed, workers.
        data: the images.
        position: where the run stands.
    """

    def __init__(self, config: TrainConfig, data: ImageData, position: Position) -> None:
        super().__init__()
        self.config = config
        self.data = data
        self.position = position

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of (uint8 (B, C, H, W), labels (B,), indices (B,)) from the run's position on."""
        rank, world = self._process()
        batches = TrainBatches(
            _length(self.data.train), self.config.batch_size, self.config.seed, self.position, rank, world
        )
        return self._loader(IndexedImages(self.data.train, self._change(), self.config.seed), batches)

    def val_dataloader(self) -> DataLoader[Any]:
        """The test images in order, in batches of the same form."""
        rank, world = self._process()
        share = max(1, self.config.eval_batch_size // world)
        return self._loader(IndexedImages(self.data.test), TestBatches(_length(self.data.test), share, rank, world))

    def _change(self) -> RandomPictures | None:
        """What is done to single training pictures; the rest of the augmentation acts on whole batches."""
        resized, config = self.config.augment == "resized_crop", self.config
        if not resized and config.rand_augment is None and not config.erasing:
            return None
        return RandomPictures(self.data.image_size, resized, config.rand_augment, config.erasing)

    def _process(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        world = self.trainer.world_size
        if self.config.batch_size % world:
            raise ArgumentError("batch_size", self.config.batch_size, f"a multiple of the {world} processes")
        return self.trainer.global_rank, world

    def _loader(self, images: IndexedImages, batches: Sampler[list[int]]) -> DataLoader[Any]:
        workers = self.config.workers or 0
        return DataLoader(
            images,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=as_fetched,
            persistent_workers=workers > 0,
        )


def _length(images: Dataset[Any]) -> int:
    return len(images)  # type: ignore[arg-type]  # torch leaves __len__ out of the base class
