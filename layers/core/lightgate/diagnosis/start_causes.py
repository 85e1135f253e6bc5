"""Why a program of a container did not start: itself, its user, its port, its libraries."""

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import EXCEPTION, LogRule, rule
from lightgate.diagnosis.symptoms import Remedy

# How a shell begins a line: its name or that of the script, and the line's number.
_SHELL = r"(?:[./]\S+|\S*sh|env|exec): (?:(?:line )?\d+: )?(?:exec: )?"
_PORT_UNSET = (
    "The server's port {0} is not a number: no shell replaces a variable in the command.",
    'Write the port itself, or let a shell start the server: ["sh", "-c", "exec gunicorn '
    '--bind 0.0.0.0:$PORT …"], and set the variable in environment',
)
_ADDRESS_IN_USE = (
    "The app could not listen, because its port is in use.",
    "Let each server in the containers of the deployment listen on a port of its own: the "
    "containers of a node share the ports",
)
_PORT_NOT_ALLOWED = (
    "The user of the container may not listen on the app's port.",
    "Let the app listen on a port of 1024 or higher, and set publicEndpoint.containerPort to it: "
    "lower ports are for root alone",
)
_LIBRARY = (
    "The image lacks the library {0}.",
    "Install the library {0} in the image (libpq.so.5 is in the package libpq5 on Debian, and in "
    "libpq on Alpine)",
)
_LINE_ENDINGS = (
    "A script of the image has Windows line endings.",
    "Store the script with LF line endings (*.sh text eol=lf in .gitattributes)",
)
_NO_PROGRAM = (
    "The image has no program {0}, or the program's interpreter is missing.",
    "Correct the command, or install {0} in the image. If {0} is a script, check the program in "
    "its first line, and store it with LF line endings",
)
_NOT_EXECUTABLE = (
    "The program {0} may not be executed.",
    "Make {0} executable in the image (chmod +x), also for the user of the container",
)
_NO_APP = (
    "The server could not load the app.",
    "Correct the module that the server's command names, and check that the image has it and that "
    "it can be imported: python -c 'import MODULE'",
)
_NO_USER = (
    "The start script could not change to another user.",
    "Create this user in the image (useradd). If the container does not run as root, leave out "
    "what changes the user (gosu, su-exec, user= of supervisord)",
)
NOT_WRITABLE = (
    "The user of the container may not use {0}.",
    "Give the user of the container the right to {0} in the image (chown), or let the app log to "
    "its standard output",
)
_READ_ONLY = (
    "The file system of {0} is read-only.",
    "Let the app write to a directory that it may write to, such as /tmp, and log to its standard "
    "output",
)

NO_MEMORY = (
    "A process of the app had no memory left.",
    "Check the memory metric of the service. Start fewer workers, or choose a larger power",
)

# The first rule that fits a line counts.
START_RULES: tuple[LogRule, ...] = (
    # The loader says so of any library, often within the error of a driver.
    rule(
        r".*failed to map segment from shared object(?!: Operation not)"
        r"|.*\bCannot allocate memory|.*: Cannot fork$",
        *NO_MEMORY,
        ends_the_app=False,
        comes_first=True,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(r".*(?:\\r'?: (?:command )?not found|\$'[^']*\\r')", *_LINE_ENDINGS, comes_first=True),
    rule(
        r"(?:\S*/)?env: (?:can't execute )?.*(?:sh|python\d?)(?:\\r| '|\?)",
        *_LINE_ENDINGS,
        comes_first=True,
    ),
    rule(r".*/bin/\S*sh\^M: bad interpreter", *_LINE_ENDINGS, comes_first=True),
    rule(
        r'.*exec: \\?"?([^"\\:]+)\\?"?: (?:executable file not found in \$PATH'
        r"|stat .*no such file)",
        *_NO_PROGRAM,
        remedy=Remedy.EITHER,
    ),
    rule(r"exec (\S+): no such file or directory", *_NO_PROGRAM, remedy=Remedy.EITHER),
    rule(r'(?:.*exec: \\?"([^"\\]+)\\?"|exec (\S+)): permission denied', *_NOT_EXECUTABLE),
    rule(r"exec (\S+) failed: Permission denied|\[dumb-init\] (\S+): Permission", *_NOT_EXECUTABLE),
    rule(
        r"exec (\S+) failed: No such file|\[dumb-init\] (\S+): No such file",
        *_NO_PROGRAM,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*exec user process caused:? \"?no such file or directory",
        "The image lacks a program, or the program's interpreter is missing.",
        "Check the program in the first line of the script that the container starts, and store "
        "the script with LF line endings",
    ),
    rule(
        _SHELL + r"\[\S*: not found$",
        "The CMD or ENTRYPOINT of the image is not valid JSON, so a shell runs its words.",
        'Write it as a list with double quotes, such as ["gunicorn", "wsgi"]',
    ),
    rule(_SHELL + r"(\S+): [Pp]ermission denied$", *_NOT_EXECUTABLE),
    rule(_SHELL + r"(\S+): not found$", *_NO_PROGRAM, remedy=Remedy.EITHER),
    rule(r"(?:\S+: (?:line \d+: )?)?(\S+): command not found$", *_NO_PROGRAM, remedy=Remedy.EITHER),
    rule(r"cannot run '([^']+)': Permission", *_NOT_EXECUTABLE),
    rule(r"cannot run '([^']+)': No such file", *_NO_PROGRAM, remedy=Remedy.EITHER),
    rule(r"(?:\S*python\S*|\S+): can't open file '([^']+)'", *_NO_PROGRAM, remedy=Remedy.EITHER),
    rule(
        r"(?:spawnerr: can't find command '([^']+)'|Command not found: (\S+)$"
        r"|Error: the command (\S+) could not be found within PATH"
        r"|error: Failed to spawn: `([^`]+)`|\[dumb-init\] (\S+): No such file)",
        *_NO_PROGRAM,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:\S+: (?:line \d+: )?)?(\S+): (?:\S+: bad interpreter: No such file"
        r"|cannot execute: required file not found)",
        *_NO_PROGRAM,
    ),
    rule(
        _SHELL
        + r"(?:can't open '([^']+)'|cannot open ([^\s:]+)|([^\s:]+): No such file or directory$)",
        *_NO_PROGRAM,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:error: failed switching to |unable to find user |su-exec: |setpriv: "
        r"|Error: Can't drop privilege as nonroot user)",
        *_NO_USER,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:Fatal Python error: (?:init_fs_encoding|initfsencoding|Py_Initialize)"
        r"|ModuleNotFoundError: No module named 'encodings')",
        "Python does not find its own library.",
        "Correct PYTHONHOME and PYTHONPATH in the container's environment. If they are right, "
        "build the virtual environment at the path where the image has it",
        comes_first=True,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*Invalid value for '--port': '([^']*)' is not a valid integer"
        r"|(?:[\w.]+: )*ValueError: invalid literal for int\(\) with base 10: '(\$\w+)'",
        *_PORT_UNSET,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:.*: )?(?:Error: )?'(\$\w+|[^']*)' is not a valid port number",
        *_PORT_UNSET,
        remedy=Remedy.EITHER,
    ),
    rule(r".*\[Errno 98\]|.*\b[Aa]ddress already in use", *_ADDRESS_IN_USE, remedy=Remedy.EITHER),
    rule(
        r"Connection in use: |probably another instance of uWSGI",
        *_ADDRESS_IN_USE,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:.*\[Errno 13\] error while attempting to bind |.*bind\(\) to \S+ failed \(13: "
        r"|Listen failure: Couldn't listen on \S+: \[Errno 13\]|bind\(\): Permission denied"
        r"|Can't connect to \('[^']*', (?:[1-9]\d{0,2}|10[01]\d|102[0-3])\))",
        *_PORT_NOT_ALLOWED,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"PermissionError: \[Errno 13\] Permission denied(?:$|: \('[^']*', \d)",
        "The app has no right to what it does, probably to listen on a port below 1024.",
        _PORT_NOT_ALLOWED[1],
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"OSError: \[Errno 99\] (?:Cannot|error while attempting to bind)"
        r"|.*\[Errno 99\] error while attempting to bind|bind\(\): Cannot assign"
        r"|Listen failure: Couldn't listen on \S+: \[Errno 99\]",
        "The app cannot listen at this address: the container does not have it.",
        "Let the app listen at 0.0.0.0 and the port of the container",
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:nginx: )?\[emerg\] (?:\d+#\d+: )?host not found in upstream \"([^\"]+)\"",
        "nginx does not find the host {0}.",
        "Let nginx pass requests to 127.0.0.1 and the port of the app: the containers of one "
        "deployment reach each other as localhost, and not by name",
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"OperationalError: \(2059, [\"']Authentication plugin '([^']+)'",
        "The database client in the image has no authentication plugin {0}.",
        "Install a newer client library in the image, or create the database user with another "
        "plugin, such as mysql_native_password",
        ends_the_app=False,
        kind=FailureClass.DATABASE_UNREACHABLE,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*(?:Error loading shared library (\S+?):|(lib[^/\s:]+\.so[.\d]*): cannot open shared"
        r"|Could not find the (GDAL|GEOS) library|failed to find (libmagic)"
        r"|cannot load library '([^']+)')",
        *_LIBRARY,
    ),
    rule(
        r".*version `(GLIBC_[\d.]+|GLIBCXX_[\d.]+)' not found",
        "A package in the image was built for a newer system than the image's ({0} is missing).",
        "Install the packages in the same base image that runs them",
    ),
    rule(
        r"Error relocating \S+: \S+: symbol not found",
        "A package in the image was built for another C library (glibc or musl).",
        "Install the packages in the same base image that runs them",
    ),
    rule(
        EXCEPTION + r"ImportError: .* partially initialized module '([^']+)'",
        "Two modules of the app import each other.",
        "Move the import of {0} into the function that needs it, or its names into a third module",
    ),
    rule(
        r".*CERTIFICATE_VERIFY_FAILED",
        "The app does not trust the certificate of a service that it needs.",
        "Install ca-certificates in the image. For a certificate of your own, or of RDS, add its "
        "authority to the image and name its file",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"Error: class uri '([^']+)' invalid or not found",
        "gunicorn could not load its worker class {0}.",
        "Install the package that has it in the image, or correct --worker-class",
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*\bno pq wrapper available",
        "The image lacks the library libpq, which psycopg needs.",
        "Install psycopg[binary], or the package libpq5 (Debian) or libpq (Alpine), in the image",
    ),
    rule(
        r"(?:.* )?no app loaded|unable to load app \d+|--- no python application",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"Error loading ASGI app|Failed to find attribute|App failed to load"
        r"|Unable to load application: |(?:[\w.]+\.)?AppImportError: "
        r"|(?:[\w.]+\.)?NoAppError: |(?:[\w.]+\.)?ImproperlyConfigured: WSGI application '"
        r"|AttributeError: module '[^']*[aw]sgi[^']*' has no attribute",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"ModuleNotFoundError: No module named '[^']*[aw]sgi'",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"Module '[^']*' has no attribute 'celery'|The module \S+ was not found\.$",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:[\w.-]+(?: [\w.-]+)?: error: (?:unrecognized arguments|no such option|argument "
        r"|ambiguous option|the following arguments|No application module)"
        r"|Error: (?:No such (?:option|command)|Missing (?:argument|option)|Invalid value for)"
        r"|uwsgi: (?:unrecognized option|option ))",
        "The program does not accept its arguments.",
        "Correct the arguments of the container's command",
        remedy=Remedy.EITHER,
    ),
    rule(
        r"Unknown command: '?([^\s']+)",
        "Django has no command {0}.",
        "Correct the command, or add the app that has it to INSTALLED_APPS",
        remedy=Remedy.EITHER,
    ),
    # gunicorn goes on without its control socket.
    rule(
        r"(?!.*Control server error)"
        + EXCEPTION
        + r"(?:PermissionError|.*?): ?\[Errno 13\] Permission denied: '([^']+)'",
        *NOT_WRITABLE,
    ),
    rule(
        r"(?!.*Control server error)"
        r"(?:.*\[Errno 30\] Read-only file system: '([^']+)'"
        r"|.*\bmkdir\(\) \"([^\"]+)\" failed \(30: )",
        *_READ_ONLY,
        ends_the_app=False,
    ),
    rule(
        EXCEPTION + r"FileNotFoundError: \[Errno 2\] No usable temporary directory",
        "The app has no directory for temporary files.",
        "Give the image a directory /tmp that the user of the container may write to",
    ),
)
