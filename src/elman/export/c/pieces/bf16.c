/* A bf16 number is the upper half of a float. */
static inline float bf16(uint16_t upper)
{
    union { uint32_t bits; float number; } whole;
    whole.bits = (uint32_t)upper << 16;
    return whole.number;
}
