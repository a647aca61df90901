import { survivesItsDeath } from './support/death.ts';
import { standsUpToLimits } from './support/limits.ts';
import { POSTFIX_KIND } from './support/postfix.ts';
import { sendsMail } from './support/sends-mail.ts';
import { describeMta } from './support/suite.ts';
import { speaksTls } from './support/tls.ts';

describeMta(POSTFIX_KIND, () => {
  sendsMail(POSTFIX_KIND);
  speaksTls(POSTFIX_KIND);
  standsUpToLimits(POSTFIX_KIND);
  survivesItsDeath(POSTFIX_KIND);
});
