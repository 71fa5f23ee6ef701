"""Build hook: panecho-triton needs panecho-client of the same version."""

from hatchling.metadata.plugin.interface import MetadataHookInterface


class SameVersion(MetadataHookInterface):
    """Sets the dependencies of panecho-triton."""

    def update(self, metadata: dict[str, object]) -> None:
        """Add the client, with its command, in the version that is being built."""
        metadata["dependencies"] = [f"panecho-client[cli]=={metadata['version']}"]
