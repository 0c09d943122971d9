"""One self-contained HTML page from an instance, its results and its runs.

Importing this package loads neither matplotlib nor jinja2; writing a page does.
"""

from edgeplan.report.write import render_report as render_report
from edgeplan.report.write import write_report as write_report
