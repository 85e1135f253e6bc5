"""The pages as a custom widget of a CloudWatch dashboard.

CloudWatch shows the HTML that the function answers. It removes scripts, frames and `<use>`. An
element `<cwdb-action>` calls the function again for the page of one release.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.errors import UnreachableError
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import ReadableRecord
from lightgate.runtime import Json, Runtime, run
from lightgate_report.overview_page import app_row, live_release, overview_page
from lightgate_report.pages import OverviewPage, ReleasePage
from lightgate_report.release_page import release_page
from lightgate_report.render import Frame, Theme, render_fragment
from lightgate_report.surroundings import Surroundings

_OF_AN_APP, _IN_ALL = 20, 30
_SOURCE = (
    "The live versions are read from the records of the releases. "
    "lightgate status also asks Lightsail."
)
_DOCUMENTATION = """\
## Lightgate

Shows what is live, the recent releases with their stages, and each release with its cause, its
migrations and its log. It reads records only, and changes nothing.

### Parameters

Name | Meaning
---|---
**app** | Show only this app
**release** | With **app**: show this release, by its whole id

### Example

```yaml
app: crops-backend
```
"""


def handler(event: Json, context: LambdaContext) -> Json:
    def show_page(event: Json, runtime: Runtime) -> str:
        frame = Frame(theme=_theme(event), endpoint=context.invoked_function_arn)
        return _answer(event, runtime, frame, context.log_group_name)

    return run(show_page, event, context)


def _answer(event: Mapping[str, object], runtime: Runtime, frame: Frame, log_group: str) -> str:
    if "describe" in event:
        return _DOCUMENTATION
    return render_fragment(_page(event, runtime, log_group), frame)


def _theme(event: Mapping[str, object]) -> Theme:
    context = event.get("widgetContext")
    theme = context.get("theme") if isinstance(context, dict) else None
    return Theme.DARK if theme == Theme.DARK else Theme.LIGHT


def _page(
    event: Mapping[str, object], runtime: Runtime, log_group: str
) -> OverviewPage | ReleasePage:
    app, release = event.get("app"), event.get("release")
    if not isinstance(app, str) or not app:
        return _overview(sorted(runtime.services.apps()), runtime, title="Apps")
    if not isinstance(release, str) or not release:
        return _overview([app], runtime, title=app)
    known = chain(runtime.releases.history(app), runtime.rehearsals.history(app))
    record = next((each for each in known if each.release == release), None)
    if record is None:
        note = f"There is no release {release} of {app} on record."
        return _overview([app], runtime, title=app, notes=[note])
    own = runtime.releases.find(app, release)
    evidence, unread = _evidence(record, runtime)
    return release_page(
        record,
        evidence,
        Surroundings.of(own.admission if own is not None else None, log_group),
        runtime.now(),
        unread=unread,
    )


def _overview(
    apps: Sequence[str], runtime: Runtime, *, title: str, notes: Sequence[str] = ()
) -> OverviewPage:
    now = runtime.now()
    histories = {app: list(islice(_history(app, runtime), _OF_AN_APP)) for app in apps}
    every = [record for history in histories.values() for record in history]
    for app in apps:
        every += islice(runtime.rehearsals.history(app), _OF_AN_APP)
    newest = sorted(every, key=lambda record: record.started_at, reverse=True)
    return overview_page(
        [app_row(app, history, runtime.locks.read(app), now) for app, history in histories.items()],
        newest[:_IN_ALL],
        now,
        title=title,
        live={release for history in histories.values() if (release := live_release(history))},
        notes=[*notes, _SOURCE],
    )


def _history(app: str, runtime: Runtime) -> Iterator[ReadableRecord]:
    """The releases of the app, the newest first. One that waited and began has a second record."""
    return (each for each in runtime.releases.history(app) if each.begun_as is None)


def _evidence(record: ReadableRecord, runtime: Runtime) -> tuple[Evidence | None, Sequence[str]]:
    """The evidence, or why it is missing."""
    if record.evidence is None:
        return None, ()
    try:
        return runtime.evidence.read(record.evidence), ()
    except UnreachableError as error:
        return None, [f"The evidence {record.evidence} could not be read: {error}."]
