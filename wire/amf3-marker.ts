/** Value markers (AMF3, section 3.1). */
// One constant each, and no imports: bundles then have the numbers in place of the names.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names of the specification
export const Undefined = 0x00;
export const Null = 0x01;
export const False = 0x02;
export const True = 0x03;
export const Integer = 0x04;
export const Double = 0x05;
export const String = 0x06;
export const XmlDocument = 0x07;
export const Date = 0x08;
export const Array = 0x09;
export const Object = 0x0a;
export const Xml = 0x0b;
export const ByteArray = 0x0c;
export const VectorInt = 0x0d;
export const VectorUint = 0x0e;
export const VectorDouble = 0x0f;
export const VectorObject = 0x10;
export const Dictionary = 0x11;
