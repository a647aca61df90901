import type { TransactionFact } from '../tasks/contract.ts';

/**
 * Whether this says of the connection, rather than of the mail or the relay, that it has carried enough: MAIL put off for now on a
 * connection that has carried mail. Servers limit mails or errors per connection and say so at MAIL, Exim and Postfix with a 421,
 * OpenSMTPD with a 452 after which it answers every MAIL so. Over a new connection the same mail passes.
 */
export function isUsedUp(fact: TransactionFact): boolean {
  return fact.stage === 'mail' && fact.phase === 'replied' && fact.reply?.startsWith('4') === true;
}

/** Whether the relay got beyond MAIL, so that its connection is one that carries mail. */
export function hasCarried(fact: TransactionFact): boolean {
  return fact.phase === 'replied' && (fact.stage === 'rcpt' || fact.stage === 'data' || fact.stage === 'dot');
}
