import type { Row } from '../../client/index.ts';

/** How many recipients of a list misbehave at the sinks, and how (see the rules of the sink). */
export interface Crowd {
  readonly total: number;
  /** Answered 550: they fail. */
  readonly refused: number;
  /** Answered 451 the first time: they are deferred and then sent. */
  readonly greylisted: number;
}

/** The recipients of a demo batch: every so many misbehave, the others are ordinary. */
export function* recipientsOf(crowd: Crowd, domain: string): Generator<Row> {
  const refusedEvery = Math.floor(crowd.total / Math.max(crowd.refused, 1));
  const greylistedEvery = Math.floor(crowd.total / Math.max(crowd.greylisted, 1));
  let refused = 0;
  let greylisted = 0;
  for (let i = 0; i < crowd.total; i++) {
    let local = `person${i}`;
    if (refused < crowd.refused && i % refusedEvery === 3) {
      local = `5xx-${i}`;
      refused++;
    } else if (greylisted < crowd.greylisted && i % greylistedEvery === 5) {
      local = `greylist-${i}`;
      greylisted++;
    }
    yield {
      address: `${local}@${domain}`,
      name: `Person ${i}`,
      variables: { city: `City ${i % 500}`, points: i % 97 },
    };
  }
}
