import { survivesItsDeath } from './support/death.ts';
import { standsUpToLimits } from './support/limits.ts';
import { OPENSMTPD_KIND } from './support/opensmtpd.ts';
import { sendsMail } from './support/sends-mail.ts';
import { describeMta } from './support/suite.ts';

describeMta(OPENSMTPD_KIND, () => {
  sendsMail(OPENSMTPD_KIND);
  standsUpToLimits(OPENSMTPD_KIND);
  survivesItsDeath(OPENSMTPD_KIND);
});
