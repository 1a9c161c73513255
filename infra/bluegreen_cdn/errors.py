"""Every error this package raises on purpose.

    BlueGreenError                      something we can explain
    ├── InvalidInput                    an argument, option or file is not acceptable; nothing was done
    │   ├── InvalidBuildId
    │   ├── InvalidRules                classification rules that contradict themselves
    │   ├── InvalidRollout              a rollout that CodeDeploy cannot express
    │   ├── InvalidRegions              unknown, or listed twice
    │   └── InvalidBuild                a build folder or archive that cannot be released
    ├── UnsupportedFormat               a manifest or routing state of a newer format
    ├── ForeignState                    a value under our name that we did not write
    ├── PublishError
    │   ├── BuildConflict               the build id exists with other content
    │   ├── SharedFileConflict          a hashed name exists with other bytes
    │   ├── FileChanged                 a file of the build was written to while it was published
    │   └── TargetFailed                one of the buckets that a build is published to refused
    ├── ReleaseError
    │   ├── ReleaseInProgress           a second candidate while one is being let in
    │   ├── VerificationFailed          an object is missing or differs in a region
    │   └── OperationRefused            what an operator asks for makes no sense now; nothing was done
    ├── CloudError                      the cloud said no; carries service, operation and code
    │   ├── NotFound
    │   ├── PreconditionFailed          somebody else wrote first
    │   ├── AccessDenied
    │   ├── Throttled                   retries are used up
    │   └── CorruptCopy                 a copy on the server has other bytes than its source
    ├── LocalCloudError                 the local cloud cannot start, or is not what we know
    └── RehearsalError                  the rehearsal could not be carried out

Messages are lower case without a full stop; they name the thing, its value, what is allowed and what to do.
"""


class BlueGreenError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code = 1


class InvalidInput(BlueGreenError):
    """An argument, option or file is not acceptable; nothing was done."""

    exit_code = 2


class InvalidBuildId(InvalidInput):
    """A build id that is not `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`."""


class InvalidRules(InvalidInput):
    """Classification rules that contradict themselves."""


class InvalidRollout(InvalidInput):
    """A rollout that CodeDeploy cannot express."""


class InvalidRegions(InvalidInput):
    """A region that is unknown or listed twice."""


class InvalidBuild(InvalidInput):
    """A build folder or archive that cannot be released."""


class IncompleteBuild(InvalidBuild):
    """A build whose documents lead to files that it does not have."""


class UnsupportedFormat(BlueGreenError):
    """A manifest or routing state written by a newer version of this package."""


class ForeignState(BlueGreenError):
    """A value under one of our names that this package did not write."""


class PublishError(BlueGreenError):
    """A build could not be published."""


class BuildConflict(PublishError):
    """The build id exists with other content."""


class SharedFileConflict(PublishError):
    """A hashed name exists with other bytes."""


class FileChanged(PublishError):
    """A file of the build was written to while it was published."""


class TargetFailed(PublishError):
    """One of the buckets that a build is published to refused."""


class ReleaseError(BlueGreenError):
    """A release could not begin or go on."""


class ReleaseInProgress(ReleaseError):
    """A second candidate while one is being let in."""


class VerificationFailed(ReleaseError):
    """An object of a build is missing or differs in a region."""


class OperationRefused(ReleaseError):
    """What an operator asks for makes no sense in the present state; nothing was done."""


class CloudError(BlueGreenError):
    """The cloud refused a call.

    Attributes:
        service: The SDK's service name, such as `s3`.
        operation: The API operation, such as `PutObject`.
        code: The service's own error code.
    """

    def __init__(self, message: str, *, service: str = "", operation: str = "", code: str = "") -> None:
        super().__init__(message)
        self.service = service
        self.operation = operation
        self.code = code


class NotFound(CloudError):
    """The thing asked for does not exist."""


class PreconditionFailed(CloudError):
    """A conditional write lost: somebody else wrote first."""


class AccessDenied(CloudError):
    """The caller may not do this."""


class Throttled(CloudError):
    """The service asked us to slow down until the retries were used up."""


class CorruptCopy(CloudError):
    """A copy that the store made has other bytes than its source."""


class LocalCloudError(BlueGreenError):
    """The local cloud cannot start, or is not the version we know."""


class RehearsalError(BlueGreenError):
    """The rehearsal could not be carried out (its report says when an invariant broke)."""
