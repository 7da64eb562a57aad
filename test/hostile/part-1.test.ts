import { describeHostile } from './suite.ts';

describeHostile(1);
