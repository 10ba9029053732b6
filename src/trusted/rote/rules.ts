/**
 * The numbered rules of the group of guards (README.md): what code and tests cite. A rule that a mutant of the tests
 * leaves out is seen to be needed.
 */

/** One rule. */
interface RoteRule {
  readonly id: string;
  readonly text: string;
}

/** All rules. */
export const ROTE_RULES: readonly RoteRule[] = [
  { id: 'ROTE.SESSION.1', text: 'a message counts only from the current session of its sender to the own one' },
  { id: 'ROTE.SESSION.2', text: 'a session of a peer is taken only after it answered a fresh challenge' },
  { id: 'ROTE.SESSION.3', text: 'with a new session of a peer, everything that the old one said is void' },
  { id: 'ROTE.SESSION.4', text: 'a session is offered only until it was taken: a second copy is not taken back' },
  { id: 'ROTE.STORE.1', text: 'a row is stored only if it is the newest of its owner, and echoed only if it is the one that is held' },
  { id: 'ROTE.STORE.2', text: 'one value is never held with two digests: the second is answered by the known row' },
  { id: 'ROTE.CONFIRM.1', text: 'confirmed is only what q members have echoed, the own one included' },
  { id: 'ROTE.CONFIRM.2', text: 'a member acknowledges only what it remembers having echoed and still holds' },
  { id: 'ROTE.CONFIRM.3', text: 'a value is returned only after q acknowledgements, the own one included' },
  { id: 'ROTE.READ.1', text: 'a read takes the highest row of q members, asked with a fresh nonce, the own one included' },
  { id: 'ROTE.READ.2', text: 'of one value with several digests all are told: none of them was ever returned' },
  { id: 'ROTE.BIND.1', text: 'the first increment after a start binds the accepted digest again, a stride above the highest row' },
  { id: 'ROTE.BIND.2', text: 'before that one no other increment is made' },
  { id: 'ROTE.RECOVER.1', text: 'a member that was started again answers nothing of others before it is active' },
  { id: 'ROTE.RECOVER.2', text: 'it is active when q other active members have told it all they hold' },
  { id: 'ROTE.RECOVER.3', text: 'only a member that made its key in this very run begins active' },
  { id: 'ROTE.FORK.1', text: 'a row under the own key above everything this run has made proves a second copy: stop' },
];
