// Questions before something is destroyed, forms over the page, and what was done in a line.
import { html, useLayoutEffect, useRef, useState } from './html.js';
import { Button, Problem } from './ui.js';

let show = () => {};
let say = () => {};

/** Ask whether something is to be done; `run` does it, and its error is shown where it was asked. */
export const confirmed = (asked) => show({ ...asked, isQuestion: true });
/** Show a form or a text; `children` is a function of `close`. */
export const opened = (asked) => show(asked);
/** Tell in a line what was done. */
export const tell = (text) => say(text);

export function Dialogs() {
  const [asked, set] = useState(null);
  const [told, setTold] = useState('');
  const before = useRef(null);
  show = (next) => {
    before.current ??= document.activeElement;
    set(next);
  };
  useLayoutEffect(() => {
    if (!asked && before.current) giveBack(before);
  }, [asked]);
  say = (text) => {
    setTold(text);
    clearTimeout(say.timer);
    say.timer = setTimeout(() => setTold(''), 6000);
  };
  return html`
    ${asked && html`<${Dialog} key=${asked.title} asked=${asked} close=${() => set(null)} />`}
    <div class="toast" role="status" data-shown=${Boolean(told)}>${told}</div>
  `;
}

/** The focus goes back to where it was; where that is gone, to the view. */
function giveBack(before) {
  const place = before.current.isConnected ? before.current : document.getElementById('main');
  before.current = null;
  place?.focus();
}

function Dialog({ asked, close }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    box.current.showModal();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    if (!asked.isKept) close();
  };
  return html`
    <dialog ref=${box} aria-labelledby="dialog-title" onCancel=${cancel}>
      <h2 id="dialog-title">${asked.title}</h2>
      ${asked.text && html`<p>${asked.text}</p>`}
      ${asked.isQuestion
        ? html`<${Question} asked=${asked} close=${close} />`
        : asked.children(close)}
    </dialog>
  `;
}

function Question({ asked, close }) {
  const [state, set] = useState({ isBusy: false, error: null });
  const run = async () => {
    set({ isBusy: true, error: null });
    try {
      await asked.run();
      close();
      if (asked.done) tell(asked.done);
    } catch (error) {
      set({ isBusy: false, error });
    }
  };
  return html`
    <${Problem} error=${state.error} />
    <div class="dialog-foot">
      <${Button} autofocus onClick=${close}>Cancel<//>
      <${Button} kind=${asked.isDanger ? 'danger' : 'primary'} busy=${state.isBusy} onClick=${run}>
        ${asked.action}
      <//>
    </div>
  `;
}

/** A form in a dialog: `send(values)` gets the fields by their names. */
export function Form({ send, action, close, children }) {
  const [state, set] = useState({ isBusy: false, error: null });
  const submit = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    set({ isBusy: true, error: null });
    try {
      await send(values);
    } catch (error) {
      set({ isBusy: false, error });
    }
  };
  return html`
    <form onSubmit=${submit} novalidate=${false}>
      ${children}
      <${Problem} error=${state.error} />
      <div class="dialog-foot">
        <${Button} onClick=${close}>Cancel<//>
        <${Button} kind="primary" type="submit" busy=${state.isBusy}>${action}<//>
      </div>
    </form>
  `;
}
