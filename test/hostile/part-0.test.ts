import { describeHostile } from './suite.ts';

describeHostile(0);
