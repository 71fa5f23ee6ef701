"""What can go wrong when the embedded server starts.

ServingError
├── PlatformError     this machine lacks something; the text says what to install
├── PortError         a port is taken
├── RepositoryError   the model repository is missing or holds no exported model
└── StartError        tritonserver stopped or did not become ready in time
    └── CrashError    it was ended by a fault of its own, which another start may not meet
"""


class ServingError(Exception):
    """Anything that keeps the server from starting; its text says what to do."""


class PlatformError(ServingError):
    """This machine lacks something that the server needs."""


class PortError(ServingError):
    """A port that was asked for is taken."""


class RepositoryError(ServingError):
    """The model repository is missing or holds no exported model."""


class StartError(ServingError):
    """``tritonserver`` stopped, or its models did not become ready in time."""


class CrashError(StartError):
    """``tritonserver`` crashed while starting."""
