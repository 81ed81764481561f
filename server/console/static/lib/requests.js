// Requests as the stream of `/v1/traces/live` tells of them, and `opened` whenever it begins anew.
// Pure: news in, the list out.

export const MOST = 24;

/** Return the requests after a piece of news, the newest first, at most `MOST`. */
export function after(requests, { event, data }) {
  if (event === 'opened') return requests.map(unseen);
  const one = requests.find((request) => request.id === data.id);
  if (event === 'started') {
    if (one) return requests.map((request) => (request === one ? { ...one, isRunning: true } : request));
    return [{ ...data, samples: [], votes: [], isRunning: true }, ...requests].slice(0, MOST);
  }
  if (!one) return requests;
  return requests.map((request) => (request === one ? changed(request, event, data) : request));
}

/** What was under way may have ended while nobody watched; what has not is told of again. */
function unseen(request) {
  return request.isRunning ? { ...request, isRunning: false, stop_reason: 'not seen' } : request;
}

function changed(request, event, data) {
  if (event === 'sample') {
    const sample = { number: data.number, answer: data.answer };
    return { ...request, votes: data.votes, agreement: data.agreement, samples: [...request.samples, sample] };
  }
  if (event === 'finished') return { ...request, ...data, isRunning: false };
  return request;
}

/** Which place in the vote the answer of each sample has; beyond the third all look alike. */
export function placesOf({ samples, votes }) {
  const order = votes.map((vote) => vote.answer);
  return samples.map((sample) => Math.min(3, Math.max(0, order.indexOf(sample.answer))));
}
