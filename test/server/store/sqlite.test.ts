import { storeContract } from './contract.ts';
import { sqliteFixture } from './sqlite-fixture.ts';

storeContract('SQLite', sqliteFixture);
