// What each tenant may use, for the operator.
import { html } from '../lib/html.js';
import { ask, get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { count } from '../lib/format.js';
import { Form, opened, tell } from '../lib/dialogs.js';
import { Button, Card, Empty, Field, Loaded, Table } from '../lib/ui.js';

const LIMITS = {
  requests_per_minute: 'Requests a minute',
  tokens_per_minute: 'Tokens a minute',
  concurrent_requests: 'Requests at a time',
  training_steps_per_day: 'Training steps a day',
  records_per_day: 'Records a day',
  files_mb: 'Megabytes of files',
  responses_mb: 'Megabytes of responses',
  weight: 'Share of the engine',
};

export function Tenants() {
  const tenants = useData((signal) => get('/v1/admin/tenants', { signal }), []);
  return html`
    <${Card} flush title="Tenants with limits of their own" note="Others have the server's."
      actions=${html`<${Button} onClick=${() => limit(null, tenants.reload)}>Set limits<//>`}>
      <${Loaded} of=${tenants}>${({ data }) =>
        data.length
          ? html`<${Table} label="Tenants" columns=${columns(tenants.reload)} rows=${data} />`
          : html`<${Empty} title="No tenant has limits of its own" icon="access">Set limits to give one more or less than the server's settings do.<//>`}<//>
    <//>
  `;
}

function columns(changed) {
  return [
    { name: 'Tenant', wide: true, cell: (t) => html`<b>${t.id}</b>` },
    { name: 'Limits', free: true, cell: (t) => limitsOf(t) },
    { name: 'Actions', hidden: true, cell: (t) => html`<${Button} kind="small" aria-label=${`Change the limits of ${t.id}`} onClick=${() => limit(t, changed)}>Change<//>` },
  ];
}

function limitsOf({ limits }) {
  const set = Object.keys(LIMITS).filter((key) => limits[key] != null);
  return set.length ? set.map((key) => `${LIMITS[key]}: ${count(limits[key])}`).join(', ') : 'as the server says';
}

function limit(tenant, done) {
  opened({
    title: tenant ? `Limits of ${tenant.id}` : 'Limits of a tenant',
    text: 'Empty: as the server says.',
    children: (close) => html`
      <${Form} action="Set" close=${close} send=${async ({ id, ...values }) => {
        const limits = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value === '' ? null : Number(value)]));
        await ask('PUT', `/v1/admin/tenants/${encodeURIComponent(tenant?.id ?? id)}`, { body: limits });
        close();
        tell('The limits are set.');
        done();
      }}>
        ${!tenant && html`<${Field} label="Tenant"><input name="id" required autofocus /><//>`}
        <div class="grid-fields">
          ${Object.entries(LIMITS).map(([key, name]) => html`
            <${Field} key=${key} label=${name}><input name=${key} type="number" min="0" step=${key === 'weight' ? 'any' : 1} value=${tenant?.limits[key] ?? ''} /><//>`)}
        </div>
      <//>`,
  });
}
