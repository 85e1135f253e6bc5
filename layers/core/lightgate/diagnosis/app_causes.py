"""What the app itself met: its settings, its modules, its files, its services, its memory."""

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import EXCEPTION, LogRule, rule
from lightgate.diagnosis.start_causes import NO_MEMORY
from lightgate.diagnosis.symptoms import Remedy

_MEMORY = (
    "The app was killed, probably because the node was out of memory.",
    NO_MEMORY[1],
)
NOT_REACHED = (
    "The app cannot reach {0}.",
    "Correct the address of this service in the app's variables, and check that it is "
    "available. The containers of one deployment reach each other as localhost",
)

# The first rule that fits a line counts.
APP_RULES: tuple[LogRule, ...] = (
    rule(
        r"Pidfile \(([^)]+)\) already exists|.*LockFailed: .*File exists: '([^']+)'",
        "Celery beat found the file {0} of a process before, and did not start.",
        "Start celery beat with --pidfile= : in a container of its own it needs no such file",
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"ImproperlyConfigured: The (\w+) setting must not be empty",
        "The setting {0} is empty.",
        "Add the variable that {0} is read from to environment, or to secrets, in the app's spec",
        kind=FailureClass.MISSING_VARIABLE,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        r".*settings\.DATABASES is improperly configured|"
        + EXCEPTION
        + r"(?:UnknownSchemeError: |ParseError: Cannot parse database)",
        "The app has no usable settings for its database.",
        "Add the variable that DATABASES is read from, such as DATABASE_URL, to secrets in the "
        "app's spec, or correct its value",
        kind=FailureClass.MISSING_VARIABLE,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"(?:ProgrammingError: invalid (?:dsn|connection option)"
        r"|ValueError: Port could not be cast to integer)",
        "A part of the connection's URL is not valid.",
        "Correct the URL: write each special character of user and password as %XX, and leave out "
        "options that the driver does not know",
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"(NoCredentialsError|NoRegionError): ",
        "The app has no credentials or no region for AWS ({0}).",
        "Add AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to secrets, and AWS_DEFAULT_REGION to "
        "environment: the containers of Lightsail have no role",
        kind=FailureClass.MISSING_VARIABLE,
        remedy=Remedy.SAME_IMAGE,
        ends_the_app=False,
    ),
    rule(
        EXCEPTION + r"ClientError: An error occurred \(\w*(?:AccessDenied|Unauthorized)\w*\) "
        r"when calling the (\w+)",
        "AWS does not let the app call {0}.",
        "Give the IAM user whose keys the app has the right to call {0}",
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        r"(?:Unable to fetch secrets|Doppler Error: |chamber: error: )",
        "The program that fetches the secrets was refused.",
        "Correct the token or the keys that this program gets in secrets",
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"AppRegistryNotReady: ",
        "Django was used before it was set up.",
        "Let asgi.py or wsgi.py call get_asgi_application() or get_wsgi_application() before it "
        "imports consumers, routing or models",
    ),
    rule(
        EXCEPTION + r"ImproperlyConfigured: Error loading (\w+)(?: or \w+)? module",
        "The image has no database driver {0}.",
        "Install the driver in the image: the package mysqlclient has MySQLdb, psycopg2 and "
        "psycopg have packages of their names",
    ),
    rule(
        EXCEPTION
        + r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]*settings[\w.]*)",
        "The image has no settings module {0}.",
        "Correct DJANGO_SETTINGS_MODULE in the container's environment, or add {0} to the image",
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"ModuleNotFoundError: No module named '(pkg_resources|distutils)",
        "The image has no module {0}: newer versions of Python and setuptools come without it.",
        "Update the package whose file the log names above this line, or install setuptools<81",
    ),
    rule(
        EXCEPTION + r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)",
        "The image has no module {0}.",
        "Install the module {0} in the image, or correct its name",
    ),
    rule(
        r"Error: Cannot find module '([^']+)'|"
        + EXCEPTION
        + r"RuntimeError: '(cryptography)' package is required",
        "The image has no module {0}.",
        "Install the module {0} in the image, or correct its name",
    ),
    rule(
        EXCEPTION + r"ImportError: cannot import name '([^']+)' from '[^']+'",
        "A module in the image has no {0}, probably because it is of another version.",
        "Pin the versions of the packages in the image, or correct the import",
    ),
    rule(
        EXCEPTION + r"(?:SyntaxError|IndentationError|TabError): ",
        "Python cannot read a source file of the app.",
        "Correct the file that the log names above this line, and check that it fits the Python "
        "version of the image",
    ),
    rule(
        r".*(?:isn't in an application in INSTALLED_APPS"
        r"|LookupError: No installed app with label '(\w+)'|but app '(\w+)' isn't installed)",
        "An app is missing in INSTALLED_APPS.",
        "Add the app that the error names to INSTALLED_APPS in the settings of the release",
    ),
    rule(
        EXCEPTION + r"(?:ZoneInfoNotFoundError|UnknownTimeZoneError): ",
        "The image does not know the time zone.",
        "Install the package tzdata in the image, or correct TIME_ZONE",
    ),
    rule(
        EXCEPTION + r"UnicodeDecodeError: 'ascii' codec",
        "Python reads text as ASCII in this image.",
        "Add LANG=C.UTF-8 and PYTHONUTF8=1 to the container's environment",
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"OSError: \[Errno 28\]",
        "The disk of the node is full.",
        "Let the app write less to the disk of the container",
    ),
    rule(
        EXCEPTION + r"ValueError: (?:Missing staticfiles manifest entry|The file '.*could not be)"
        r"|.*\bMissingFileError: The file '|.*\bOfflineGenerationError: ",
        "A static file is missing in the image.",
        "Run python manage.py collectstatic when the image is built, with the settings of the "
        "release",
        ends_the_app=False,
        kind=FailureClass.HEALTH_CHECK,
    ),
    rule(
        EXCEPTION + r"TemplateDoesNotExist: (\S+)",
        "The image has no template {0}.",
        "Add the template {0} to the image, or correct TEMPLATES",
        ends_the_app=False,
        kind=FailureClass.HEALTH_CHECK,
    ),
    rule(
        EXCEPTION + r"""(?:.*\brelation "([^"]+)" does not exist|.*\bno such table: (\S+)"""
        r"""|.*\(1146, "Table '([^']+)' doesn't exist)""",
        "The database has no table {0}.",
        "Check that this container and the one that migrates use the same database, and that a "
        "migration creates the table: python manage.py showmigrations",
        ends_the_app=False,
        kind=FailureClass.HEALTH_CHECK,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"""(?:.*\bcolumn "?([\w.]+)"?(?: of relation "\w+")? does not exist"""
        r"""|.*\bno such column: (\S+)|.*\(1054, "Unknown column '([^']+)')""",
        "The database has no column {0}.",
        "Check that this container and the one that migrates use the same database, and that a "
        "migration creates the column: python manage.py showmigrations",
        ends_the_app=False,
        kind=FailureClass.HEALTH_CHECK,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:.*consumer: Cannot connect to redis.*|(?:[\w.]+: )*redis\.exceptions\..*)"
        r"(?:Authentication required|NOAUTH|WRONGPASS|invalid (?:username-)?password"
        r"|AUTH <password> called)",
        "Redis does not accept the app's password.",
        "Correct user and password in the URL of Redis",
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        r".*\bError -?\d+ connecting to (\S+?)\.(?: |$)",
        *NOT_REACHED,
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*\bACCESS_REFUSED - Login was refused",
        "The broker does not accept the app's login.",
        "Correct user and password in the URL of the broker",
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        r".*\bCannot connect to (\w+)://",
        "Celery cannot reach its broker ({0}).",
        "Correct the address of the broker in the app's variables, and check that it is available",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"kombu\.exceptions\.OperationalError: ",
        "Celery cannot reach its broker.",
        "Correct the address of the broker in the app's variables, and check that it is available",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"\w+: .*(?:ConnectionPool\(host='([^']+)'|host: ([\w.-]+)).*"
        r"(?:Max retries exceeded|NameResolution|Failed to establish|Connection refused)"
        r"|Timeout after \S+ waiting on dependencies .*\[(?:\w+://)?([^\]]+)\]",
        *NOT_REACHED,
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"(?:ConnectionRefusedError: \[Errno 111\]|gaierror: \[Errno -\d\]"
        r"|ConnectionError: .*(?:Failed to establish a new connection|\[Errno 111\]))",
        "The app cannot reach a service that it needs.",
        NOT_REACHED[1],
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:.*Perhaps out of memory\?|.*OOMKilled|(?:.*: +\d+ )?Killed(?: {2,}.*)?$"
        r"|.*[Oo]ut of memory)",
        *_MEMORY,
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"(?:MemoryError\b|OSError: \[Errno 12\])",
        *NO_MEMORY,
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        EXCEPTION + r"(?:RuntimeError: can't start new thread|OSError: \[Errno 24\]"
        r"|BlockingIOError: \[Errno 11\])|.*pthread_create failed",
        "The app reached a limit of its container for threads, processes or open files.",
        "Start fewer workers and threads, and close files and connections",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*WORKER TIMEOUT",
        "A worker of gunicorn did not answer in time and was killed.",
        "Find out what takes so long when the app starts, or in the health check; if it is a slow "
        "start, raise gunicorn's --timeout, or use --preload",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:.*Segmentation fault|.*Illegal instruction|Bus error\b|Fatal Python error: "
        r"|.*(?:signal 11|SIGSEGV)|!!! uWSGI process)",
        "The app crashed in native code.",
        "Run the image on your machine with PYTHONFAULTHANDLER=1, and update the package that the "
        "output names",
        ends_the_app=False,
    ),
    rule(
        r".*(?:terminated due to signal 9|was sent SIGKILL|signal 9 \(SIGKILL\)"
        r"|killed by signal 9)",
        *_MEMORY,
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
)
