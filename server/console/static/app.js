// The latest traces of the key's tenant, as `GET /v1/traces` lists them.
const key = document.getElementById("value");
const told = document.getElementById("told");
key.value = sessionStorage.getItem("key") ?? "";

async function show() {
  const headers = key.value ? { authorization: `Bearer ${key.value}` } : {};
  const response = await fetch("v1/traces?limit=20", { headers });
  const body = await response.json();
  told.textContent = response.ok ? `${body.data.length} traces` : body.error.message;
  const rows = (body.data ?? []).map((trace) => {
    const row = document.createElement("li");
    row.textContent = `${trace.question} → ${trace.answer ?? "?"} (${trace.strategy})`;
    return row;
  });
  document.getElementById("traces").replaceChildren(...rows);
}

document.getElementById("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", key.value);
  show();
});
show();
