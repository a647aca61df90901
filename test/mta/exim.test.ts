import { survivesItsDeath } from './support/death.ts';
import { EXIM_KIND } from './support/exim.ts';
import { standsUpToLimits } from './support/limits.ts';
import { sendsMail } from './support/sends-mail.ts';
import { describeMta } from './support/suite.ts';
import { speaksTls } from './support/tls.ts';

describeMta(EXIM_KIND, () => {
  sendsMail(EXIM_KIND);
  speaksTls(EXIM_KIND);
  standsUpToLimits(EXIM_KIND);
  survivesItsDeath(EXIM_KIND);
});
