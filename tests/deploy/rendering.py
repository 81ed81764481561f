"""What Helm makes of the chart: run by an interpreter that has Helm's library and the schemas.

`python rendering.py CHART VALUES` prints the manifests as JSON, or what is wrong with the values.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint

VERSIONS = ("1.27", "1.30", "1.34", "1.37")
"""Of Kubernetes, whose schemas the manifests are held to."""


def main() -> None:
    path, values = sys.argv[1], json.loads(sys.argv[2])
    complaints = [m["error"] for m in lint(path, values)["messages"] if m["severity"] >= 2]
    try:
        with Chart.load(path) as chart:
            chart.validate_schema(values)
            texts = chart.render(values=values, name="try", namespace="trial")
    except helm_python.HelmError as error:
        print(json.dumps({"refused": str(error)}))
        return
    found = [
        document
        for name, text in sorted(texts.items())
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    for document in found:
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    notes = next(text for name, text in texts.items() if name.endswith("NOTES.txt"))
    print(json.dumps({"manifests": found, "notes": notes, "complaints": complaints}))


if __name__ == "__main__":
    main()
