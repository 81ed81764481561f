// Keys of the tenant, and for the operator what every tenant may use.
import { html } from '../lib/html.js';
import { ask, get, post } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { ago, clip, when } from '../lib/format.js';
import { confirmed, Form, opened, tell } from '../lib/dialogs.js';
import { Badge, Button, Card, Copy, Empty, Field, Loaded, Page, Table } from '../lib/ui.js';
import { Tenants } from './tenants.js';

const ROLES = [
  ['user', 'asks, and says whether an answer was right'],
  ['reviewer', 'looks at memory and decides about records'],
  ['admin', 'moves adapters, begins jobs and makes keys'],
];
const GATEWAY = ['gateway', 'asks for the tenants of the trusted header; it is of the tenant default'];

export function Access({ me }) {
  const keys = useData((signal) => get('/v1/admin/keys', { signal }), []);
  return html`
    <${Page} title="Tenants & keys" lead="Who may ask, and in whose name. Every tenant has its own memory, adapters and limits."
      actions=${html`<${Button} kind="primary" onClick=${() => make(me, keys.reload)}>Make a key<//>`}>
      <${Card} flush title="Keys" note="A key is shown once, when it is made; only its digest is kept.">
        <${Loaded} of=${keys}>${({ data }) =>
          data.length
            ? html`<${Table} label="Keys" columns=${columns(me, keys.reload)} rows=${data} />`
            : html`<${Empty} title="There is no key" icon="access">Everybody on this machine is the operator. The first key that is made closes the server to all without one: make an admin's key of the tenant default first.<//>`}<//>
      <//>
      ${me.isOperator && html`<${Tenants} />`}
    <//>
  `;
}

function columns(me, changed) {
  return [
    { name: 'Name', wide: true, cell: (k) => html`${k.name || 'unnamed'} <span class="mono muted">…${k.hint}</span>` },
    ...(me.isOperator ? [{ name: 'Tenant', cell: (k) => html`<span title=${k.tenant}>${clip(k.tenant, 24)}</span>` }] : []),
    { name: 'Role', cell: (k) => k.role },
    { name: 'State', cell: (k) => html`<${Badge} as=${k.is_valid ? 'good' : 'plain'}>${stateOf(k)}<//>` },
    { name: 'Used', cell: (k) => (k.last_used_at ? ago(k.last_used_at) : 'never') },
    { name: 'Ends', cell: (k) => (k.expires_at ? when(k.expires_at) : 'never') },
    { name: 'Actions', hidden: true, cell: (k) => k.is_valid && html`<${Actions} of=${k} changed=${changed} />` },
  ];
}

const stateOf = (k) => (k.revoked_at ? 'revoked' : k.replaced_by ? 'replaced' : k.is_valid ? 'valid' : 'expired');

function Actions({ of: k, changed }) {
  const path = `/v1/admin/keys/${encodeURIComponent(k.id)}`;
  const name = k.name || `…${k.hint}`;
  const revoke = () => confirmed({
    title: `Revoke ${name}?`, text: 'It opens nothing any more, at once and for good.', action: 'Revoke', isDanger: true,
    done: 'The key is revoked.', run: async () => { await ask('DELETE', path); changed(); },
  });
  const rotate = () => opened({
    title: `Rotate ${name}?`,
    text: 'A new key takes its place. The old one goes on to work for a day.',
    children: (close) => html`
      <${Form} action="Rotate" close=${close} send=${async () => { shown(await post(`${path}/rotate`)); changed(); }} />`,
  });
  return html`<div class="actions">${!k.replaced_by && html`<${Button} kind="small" aria-label=${`Rotate ${name}`} onClick=${rotate}>Rotate<//>`}
    <${Button} kind="small danger-quiet" aria-label=${`Revoke ${name}`} onClick=${revoke}>Revoke<//></div>`;
}

function make(me, done) {
  opened({
    title: 'Make a key',
    children: (close) => html`
      <${Form} action="Make" close=${close} send=${async ({ name, role, tenant, days }) => {
        const body = { name, role, tenant: tenant || null, expires_in_days: days ? Number(days) : null };
        shown(await post('/v1/admin/keys', body));
        done();
      }}>
        <${Field} label="Name" hint="Whom or what it is for."><input name="name" maxlength="200" autofocus /><//>
        ${me.isOperator && html`<${Field} label="Tenant"><input name="tenant" value=${me.tenant} required /><//>`}
        <fieldset>
          <legend class="field-name">Role</legend>
          ${[...ROLES, ...(me.isOperator ? [GATEWAY] : [])].map(([role, text]) => html`
            <label class="check" key=${role}><input type="radio" name="role" value=${role} checked=${role === 'user'} /> <span><b>${role}</b> ${text}</span></label>`)}
        </fieldset>
        <${Field} label="Days until it ends" hint="Empty: never."><input name="days" type="number" min="0.01" step="any" max="36500" /><//>
      <//>`,
  });
}

/** The only time that a key is seen. */
function shown(made) {
  opened({
    title: 'The key',
    text: 'It is shown this once. Copy it now; nothing brings it back.',
    isKept: true,
    children: (close) => html`
      <p class="secret mono">${made.key}</p>
      <div class="dialog-foot"><${Copy} text=${made.key} /><${Button} kind="primary" onClick=${() => { close(); tell('The key is made.'); }}>I have copied it<//></div>`,
  });
}
