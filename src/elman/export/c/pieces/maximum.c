/* The greater; not a number if either is none. */
static inline float maximum(float x, float y)
{
    return x > y || x != x ? x : y;
}
