/** What the site is at, for people: no loss, no figure of a patient. */
export interface Activity {
  readonly kind:
    | 'starting'
    | 'connecting'
    | 'recovering'
    | 'training'
    | 'halted'
    /** Waits for another state: from this one the round's values were not finite. */
    | 'abandoned'
    | 'evaluating'
    | 'waiting'
    | 'finished'
    | 'exhausted'
    | 'watching';
  readonly round: number;
  readonly done: number;
  readonly total: number;
}
