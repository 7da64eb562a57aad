/** Value markers (AMF0, section 2.1). */
// One constant each, and no imports: bundles then have the numbers in place of the names.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names of the specification
export const Number = 0x00;
export const Boolean = 0x01;
export const String = 0x02;
export const Object = 0x03;
export const Null = 0x05;
export const Undefined = 0x06;
export const Reference = 0x07;
export const EcmaArray = 0x08;
export const ObjectEnd = 0x09;
export const StrictArray = 0x0a;
export const Date = 0x0b;
export const LongString = 0x0c;
export const Unsupported = 0x0d;
export const XmlDocument = 0x0f;
export const TypedObject = 0x10;
export const Avmplus = 0x11;
