"""Who takes part."""

from .artifactd import (
    ArtifactdOnFilesystem,
    ArtifactdOnMemory,
    ArtifactdOnS3,
    ArtifactdSigned,
)
from .contestant import Contestant
from .garage import Garage
from .nginx import Nginx
from .peer import PeerOnFilesystem, PeerOnMemory, PeerOnS3

ALL: list[type[Contestant]] = [
    ArtifactdOnFilesystem,
    ArtifactdSigned,
    ArtifactdOnMemory,
    ArtifactdOnS3,
    PeerOnMemory,
    PeerOnFilesystem,
    PeerOnS3,
    Nginx,
    Garage,
]

__all__ = ["ALL", "Contestant"]
