// Preact, its hooks and htm under one name, for every module of the page.
import { h, render, Fragment } from '../vendor/preact.js';
import htm from '../vendor/htm.js';

export { useCallback, useEffect, useLayoutEffect, useReducer, useRef, useState } from '../vendor/hooks.js';
export { h, render, Fragment };

// What only loads or listens is an effect. What a person meets (focus, menu, title, dialog) is a layout
// effect: it holds from the moment that the view is seen, before another key is pressed.

/** What is put into a template is text, an element or an attribute: never markup. */
export const html = htm.bind(h);
