// What the words mean that the server uses, in a sentence each.

export const STRATEGIES = {
  plain: 'One sample, as any server would answer.',
  consistency: 'As many samples as the vote needs: the answer that most of them give.',
  demonstrations: 'Solved records that are like the question are shown first; then a vote.',
  ttt: 'Test-time training: a small adapter is trained on records like the question, checked, and voted through.',
  auto: 'Whichever of plain, consistency, demonstrations and ttt is likely to do at the least cost.',
  best_of_n: 'Every sample is drawn and scored; the best scores win.',
  refine: 'The model criticises the leading answer, and revisions stand beside further votes.',
  reflexion: 'After a try that a verifier fails, the model notes what went wrong and tries again.',
  debate: 'Three speakers answer, read each other, and answer again.',
  decompose: 'Easier questions are answered first; the vote sees their answers.',
};

export const STOPS = {
  confident: 'The leading answer is as sure as was asked for.',
  certain: 'No sample still to come could change the leader.',
  futile: 'More samples would gain less than they cost.',
  exhausted: 'All samples that were allowed are in.',
  single: 'One sample was drawn, or the first was sure enough.',
  verified: 'An answer passed the request’s verifiers.',
  remembered: 'Nothing was sampled: the answer was verified before.',
  budget: 'The tokens ran out.',
  deadline: 'The time ran out.',
  failed: 'The engine failed; the best of what had come is served.',
};

export const STATES = {
  active: 'Recalled for questions like it, and trained on.',
  pending: 'Waits for a person; not used until then.',
  quarantined: 'Set aside: contradicted, or called wrong.',
  expired: 'Rejected in review; no longer used.',
  erased: 'Its content is gone for good.',
};

export const TIERS = {
  executable: 'A check computed it: the strongest.',
  corroborated: 'Tests that whoever asked wrote have passed.',
  feedback: 'Somebody said that it is right, or it met a known answer.',
  imported: 'A file brought it.',
  vote: 'A vote alone stands behind it: recalled, never trained on.',
};

export const VERSIONS = {
  champion: 'Answers the requests.',
  previous: 'Was served before the champion; a rollback serves it again.',
  candidate: 'The newest that passed the gate, and is not served yet.',
  promoted: 'Was served once.',
  passed: 'The gate found it better; a person decides.',
  rejected: 'The gate found it no better: never served.',
  retired: 'Taken out of service for good.',
};

const ALL = { ...STRATEGIES, ...STOPS, ...TIERS, ...VERSIONS, ...STATES };

/** The sentence of a word; undefined where it says enough by itself. */
export const meaning = (word) => ALL[word];
